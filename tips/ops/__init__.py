"""Operations that networks, data and evaluation share, with the kernels that are compiled for some."""
