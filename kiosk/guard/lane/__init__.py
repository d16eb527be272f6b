"""The lane's screen: what everybody who stands there may see."""
