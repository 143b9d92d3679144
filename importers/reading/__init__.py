"""What every source reads with: files, paths, clock times and locations."""
