//! What is true of Oracle, in a DBA's words.

