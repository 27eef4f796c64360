"""DAWproject: an arrangement with its audio, which Bitwig Studio, Studio One and Cubase open.

Source: https://github.com/bitwig/dawproject, version 1.0.
"""
