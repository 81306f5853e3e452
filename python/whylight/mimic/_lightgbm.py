"""LightGBM models in its own text: put together, and given a base."""

from __future__ import annotations


def joined(texts, objective=None) -> str:
    """Models of one margin each as one model of them all, with this objective, or their own.

    A model whose training ended early is filled with trees that add nothing.
    """
    parts = [_parts(text) for text in texts]
    longest = max(len(trees) for _, trees in parts)
    trees = [own[i] if i < len(own) else _leaf(0.0, 0) for i in range(longest) for _, own in parts]
    return _text(parts[0][0], trees, len(texts), objective)


def with_base(text, base, rows) -> str:
    """A softmax model of several classes that begins at `base`, of the so many rows that it was trained on."""
    head, trees = _parts(text)
    leaves = [_leaf(value, rows) for value in base]
    return _text(head, leaves + trees, len(base), f"multiclass num_class:{len(base)}")


def _parts(text):
    """The head of a text, and its trees without their numbers."""
    head, _, rest = text.partition("\n\nTree=")
    body = rest.partition("end of trees")[0]
    trees = [tree.partition("\n")[2].rstrip("\n") + "\n" for tree in ("\nTree=" + body).split("\nTree=")[1:]]
    return head, trees


def _text(head, trees, classes, objective):
    trees = [f"Tree={number}\n{tree}\n\n" for number, tree in enumerate(trees)]
    # "tree" and "average_output" have no value.
    bare = [line for line in head.splitlines() if "=" not in line]
    said = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    said.update(num_class=classes, num_tree_per_iteration=classes)
    if objective is not None:
        said["objective"] = objective
    # By these bytes LightGBM finds the trees.
    said["tree_sizes"] = " ".join(str(len(tree.encode())) for tree in trees)
    lines = [bare[0], *(f"{name}={value}" for name, value in said.items()), *bare[1:]]
    return "\n".join(lines) + "\n\n" + "".join(trees) + TAIL


def _leaf(value, rows):
    """A tree of one leaf."""
    return (
        "num_leaves=1\nnum_cat=0\nsplit_feature=\nsplit_gain=\nthreshold=\ndecision_type=\nleft_child=\n"
        f"right_child=\nleaf_value={value:.17g}\nleaf_weight=\nleaf_count={rows}\ninternal_value=\n"
        "internal_weight=\ninternal_count=\nis_linear=0\nshrinkage=1\n"
    )


#: What stands after the trees.
TAIL = "end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n\npandas_categorical:null\n"
