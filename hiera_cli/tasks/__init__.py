"""What is done with batches: generators of frozen records."""
