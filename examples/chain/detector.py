"""What simulation and reconstruction must agree on: the layers and the field."""

RADII_M = (0.10, 0.20, 0.30, 0.40, 0.50, 0.65, 0.80, 1.00)
RESOLUTION_M = 600e-6
FIELD_T = 3.8
GEV_PER_T_M = 0.299792458  # the momentum in GeV of a unit charge that a field of 1 T bends with a radius of 1 m
