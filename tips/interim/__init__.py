from typing import Final

# Sources of the network behind the generator `vfit`; a change in them makes its frames anew.
NETWORK: Final = ("models/vfit", "ops/adacof.py")
