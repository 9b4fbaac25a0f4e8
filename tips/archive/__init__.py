"""Study archives: what one holds, how it is written, checked and opened."""
