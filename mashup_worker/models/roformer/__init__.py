"""BS-RoFormer (Lu et al. 2023) and Mel-Band RoFormer (Wang, Lu and Won 2023), for fast inference.

Both split the spectrogram into bands, run transformers with rotary position embeddings along the
frames and along the bands in turn, and estimate a complex mask for each band and stem. Bands of
BS-RoFormer lie side by side; those of Mel-Band RoFormer overlap, and their masks are averaged.

`convert` builds a network from the weights and parameters of a checkpoint of
Music-Source-Separation-Training: same results, another memory layout, and fewer passes over memory.
The residual stream is `(batch, frames, bands, channels)`, float32, and is changed in place.
"""
