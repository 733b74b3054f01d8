"""What a step trains on: the order of files, their clips, augmentation, batches."""
