"""Video files: which frames to take, how to read them, how to crop them, how to write them."""
