"""Why a variant's answers differ from the baseline's: a stored run, its files and its devices → an Explanation.

stored_row    a row of a stored run, opened and kept      explain_row   the story: gaps, layers, causes
row_study     one row, its files and samples              findings      all that rules look at
gaps          each step of the way by itself              picked        which samples are looked at
graph         a .tflite file as ops; parts of it as files pairs         the variant's ops beside float32's
bench         files run on a row's device and engine      layers        the error of each layer, and what it adds
constants     weights and biases beside float32's         alone         what one layer alone does to the answers
causes        what was found → causes, with a way out     explanation   what was found
kept_explanations  what was found, beside the run      op_times      how long each op takes
batches       the same file, several samples at once     input_forms   its inputs in other forms
tried         a part of a look that may fail by itself
"""
