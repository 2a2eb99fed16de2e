"""The plots of a report: each a function of the material and a width, and its declaration as a Plot."""
