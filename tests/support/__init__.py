"""What several tests share: pictures, captions, weights and sets to test with, and ways to run the command."""
