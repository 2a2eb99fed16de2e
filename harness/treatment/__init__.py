"""A row that does not pass its gate → the smallest change of its recipe that does (`harness cure`).

stored_cure   a run is opened and searched              halves      the test set in two: to search with, and held apart
remedies      what is tried, the smallest change first  half_run    some samples of a run, with a file for a row
search        remedies tried until one passes           verdict_on  what the policy says of a file on one half
patient       the row, what runs and what builds        cured       what was found, as it is kept
luck          the calibration set drawn anew
"""
