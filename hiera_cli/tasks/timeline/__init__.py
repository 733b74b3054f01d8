"""What happens when in a video: window scores, smoothed and merged into segments."""
