"""Hybrid Transformer Demucs (Rouard, Massa and Défossez 2023), laid out for fast inference.

`convert` turns a network of the `demucs` package into this form: same weights and results, another
memory layout, and fewer passes over memory. Activations of both branches are
`(batch, frames, rows, channels)`, channels last, as matrix units need them. Rows are frequencies in
one branch, and samples in the other, which has one frame.
"""
