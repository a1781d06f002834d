"""The preset `compact`.

stage      its one stage of training
painter    frames of the target from poses
"""
