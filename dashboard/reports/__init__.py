"""What Usage and Cost share: a time, a grouping and filters, read from the address and summed."""
