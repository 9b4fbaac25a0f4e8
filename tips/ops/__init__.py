"""Operations that networks, data and evaluation share, some with a compiled kernel."""
