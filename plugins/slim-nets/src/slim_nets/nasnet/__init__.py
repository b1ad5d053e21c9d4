"""NASNet and PNASNet, and the cell that both are built from."""
