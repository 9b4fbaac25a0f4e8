"""What a frozen backbone sees, computed once for all second stages that see the same crops."""
