"""The whole job without ROS: the on-robot model, the Compiler and the Answerer."""
