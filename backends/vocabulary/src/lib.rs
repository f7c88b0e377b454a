//! The words of an SMB trace: which verbs there are, what their arguments mean, and how an SMB2/3 answer reads.
