"""What coalitions are worth by definition, and values from that: every coalition, every background row."""

from math import factorial

import numpy as np


def worths(predict, row, background, players):
    """The mean prediction by coalition (coalitions, outputs): bit i stands for player i, a list of columns."""
    background = np.asarray(background)
    mixed = np.repeat(background[np.newaxis], 1 << len(players), axis=0)
    for player, columns in enumerate(players):
        within = (np.arange(len(mixed)) >> player) & 1 == 1
        for column in columns:
            mixed[within, :, column] = np.asarray(row)[column]
    predicted = np.asarray(predict(mixed.reshape(-1, background.shape[1])), np.float64)
    return predicted.reshape(len(mixed), len(background), -1).mean(axis=1)


def values(worth, index="shapley"):
    """The values (players, outputs) of a game."""
    players = len(worth).bit_length() - 1
    coalitions = np.arange(len(worth))
    sizes = np.array([bin(coalition).count("1") for coalition in coalitions])
    weights = [factorial(size) * factorial(players - size - 1) / factorial(players) for size in range(players)]
    found = []
    for player in range(players):
        without = coalitions[(coalitions >> player) & 1 == 0]
        gains = worth[without | 1 << player] - worth[without]
        shares = np.array(weights)[sizes[without]] if index == "shapley" else np.full(len(without), 1 / len(without))
        found.append(shares @ gains)
    return np.array(found)


def interactions(worth):
    """The interactions (players, players, outputs) of a game: the diagonal is what the pairs leave of a value."""
    players = len(worth).bit_length() - 1
    coalitions = np.arange(len(worth))
    sizes = np.array([bin(coalition).count("1") for coalition in coalitions])
    found = np.zeros((players, players, worth.shape[1]))
    for one in range(players):
        for other in range(one):
            without = coalitions[(coalitions >> one | coalitions >> other) & 1 == 0]
            both = without | 1 << one | 1 << other
            gains = worth[both] - worth[without | 1 << one] - worth[without | 1 << other] + worth[without]
            ways = [factorial(size) * factorial(players - size - 2) for size in sizes[without]]
            found[one, other] = found[other, one] = np.array(ways) / factorial(players - 1) / 2 @ gains
    for player, value in enumerate(values(worth)):
        found[player, player] = value - found[player].sum(axis=0)
    return found


def single(count):
    """Players that are a column each."""
    return [[column] for column in range(count)]
