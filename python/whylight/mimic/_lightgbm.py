"""LightGBM's parameters, and its models in its own text: put together, and given a base."""

from __future__ import annotations

#: Up to so many rows, many small steps on changing parts of the rows and columns answer better than fewer larger ones;
#: of so many cells they take too long.
FEW, CELLS = 5000, 1_000_000

#: LightGBM's other names of the parameters that have a default here; a user may say any of them.
ALIASES = {
    "objective": "objective_type app application loss",
    "num_iterations": "num_iteration n_iter num_tree num_trees num_round num_rounds nrounds num_boost_round "
    "n_estimators max_iter",
    "learning_rate": "shrinkage_rate eta",
    "min_data_in_leaf": "min_data_per_leaf min_data min_child_samples min_samples_leaf",
    "bagging_fraction": "sub_row subsample bagging",
    "bagging_freq": "subsample_freq",
    "feature_fraction_bynode": "sub_feature_bynode colsample_bynode",
    "seed": "random_seed random_state",
    "num_threads": "num_thread nthread nthreads n_jobs",
    "verbosity": "verbose",
    "deterministic": "",
    "force_col_wise": "",
}


def defaults(given, rows, columns, seed, threads) -> dict:
    """LightGBM's parameters for so many rows and columns, less those that are given under any name."""
    found = {
        "objective": "regression",
        "num_iterations": 100,
        "seed": seed,
        "num_threads": threads,
        "verbosity": -1,
        # The same trees whatever the number of threads.
        "deterministic": True,
        "force_col_wise": True,
    }
    if rows <= FEW:
        found.update(min_data_in_leaf=max(1, min(rows // 10, 10)))
    if rows <= FEW and rows * columns <= CELLS:
        found.update(
            num_iterations=300,
            learning_rate=0.05,
            bagging_fraction=0.7,
            bagging_freq=1,
            feature_fraction_bynode=0.7,
        )
    return {name: value for name, value in found.items() if not given.keys() & {name, *ALIASES[name].split()}}


def rounds(options) -> tuple:
    """How many trees options ask for, under any name, and the other options: LightGBM warns of a number among them."""
    names = {"num_iterations", *ALIASES["num_iterations"].split()}
    asked = [value for name, value in options.items() if name in names]
    return asked[-1], {name: value for name, value in options.items() if name not in names}


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
