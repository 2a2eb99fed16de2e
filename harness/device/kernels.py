"""Which kernels ran the ops of a model, as the interpreter itself tells once its tensors are allocated."""

DELEGATE = "DELEGATE"  # how an interpreter names what stands for a partition


def ran(interpreter):
    """{ops, delegated, partitions, outside: [names of the ops that no delegate took]} of the first graph.

    None where the engine does not tell: CompiledModel and tflite-micro do not.
    """
    tell = getattr(interpreter, "_get_ops_details", None)
    if tell is None:
        return None
    every = tell()
    own = [op for op in every if op["op_name"] != DELEGATE]
    partitions = [op for op in every if op["op_name"] == DELEGATE]
    taken = {place for partition in partitions for place in inside(partition, own)}
    outside = [op["op_name"] for place, op in enumerate(own) if place not in taken]
    return {"ops": len(own), "delegated": len(taken), "partitions": len(partitions), "outside": outside}


def inside(partition, own):
    """The places of the ops that a partition stands for: all on the way from its inputs to its outputs."""
    makers = {int(tensor): place for place, op in enumerate(own) for tensor in op["outputs"]}
    given, left, found = {int(n) for n in partition["inputs"]}, [int(n) for n in partition["outputs"]], set()
    while left:
        tensor = left.pop()
        place = makers.get(tensor)
        if tensor not in given and place is not None and place not in found:
            found.add(place)
            left += [int(n) for n in own[place]["inputs"]]
    return found
