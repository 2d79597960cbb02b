"""What `compare` is made of: contenders, measuring, goals and the report. Standard library only."""
