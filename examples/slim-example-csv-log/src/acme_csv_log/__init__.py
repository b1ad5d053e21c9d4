"""An example plugin of Slim: what runs tell, in a CSV file."""
