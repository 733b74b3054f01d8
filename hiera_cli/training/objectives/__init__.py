"""What training minimises and what validation measures."""
