"""A household day for the demo: a 3-D home, two people, a robot, recorded as one rosbag2."""
