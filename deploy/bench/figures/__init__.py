"""One file per subject; each registers its figures. Nothing else has to be told of a new file."""
