"""The paper as it was published: global generator, local enhancer and face GAN, with its objective and schedule.

    networks     the generators and discriminators, in the published sizes
    ops          the arithmetic they are made of, arranged for speed
    optimiser    Adam on weights stored as bf16
    objective    one training step's terms and their gradient
    data         letterboxed frames, stick figures drawn large, pairs in the order of an epoch
    face         the face's box, its crop, and how a residual is blended in
    stages       the stages of a run
    painter      frames of the target from poses

Described from the paper (Chan et al., ICCV 2019) and from published facts about its code, none of which is used here.
"""
