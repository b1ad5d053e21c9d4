"""What a run is on disk: its record, checkpoints, position in the data, results and signals."""
