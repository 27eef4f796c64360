"""Hybrid Transformer Demucs (Rouard, Massa and Défossez 2023), laid out for fast inference.

`convert` turns a network of the `demucs` package into this one: same weights, same results, other
order of numbers in memory and fewer passes over them. Sound of both branches is kept as
`(batch, frames, rows, channels)` with the channels of one point side by side, which is what matrix
units want; rows are frequencies in one branch, and samples in the other, which has one frame.
"""
