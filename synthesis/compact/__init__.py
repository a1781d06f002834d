"""The preset `compact`.

generators an empty one, for training and for stored weights
stage      its one stage of training
painter    frames of the target from poses
"""
