"""SCNet (Tong et al. 2024, arXiv:2401.13276) and its masked variant, for fast inference.

SCNet compresses three bands of the spectrogram by different factors, runs recurrent layers along
the rows and along the frames, and estimates the spectrogram of each stem. The masked variant of
Music-Source-Separation-Training estimates a complex mask for each stem instead.

`convert` builds a network from the weights and parameters of a checkpoint: same results, another
memory layout, and fewer products. Activations are `(batch, frames, rows, channels)`, channels last,
where rows are frequencies.
"""
