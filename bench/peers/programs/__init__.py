"""What takes turns: each a process of its own, in an interpreter of its own if need be.

They are started with this folder's parent on the path and import nothing of `bench` unless they
need it, so that a program that measures how fast GalSim starts does not import PyTorch first.
"""
