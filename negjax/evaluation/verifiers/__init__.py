"""What the claims of `negjax synth` are checked by: functions of rows that are given to its stage verify."""
