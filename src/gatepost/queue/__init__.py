"""Keep mail safe until someone takes it.

Guarantee: the instant of acceptance is the commit (write-ahead log synced) that holds the message, its recipients and
its content; only after it does the client get its 250. What was accepted survives the death of the process at any
point and, as far as the disk keeps its word about a sync, the loss of power. It leaves the queue only in a commit that
also holds its end: delivered, returned (with the NDR in the same commit), failed with nobody to tell, or cancelled.

Where a duplicate is possible: between the moment the next hop takes the message (it has the final dot) and the commit
that notes it. If the process dies there, or the reply never comes, the message is sent again (RFC 5321 section 6.1
demands it, RFC 1047 explains it). Messages in that window stand in the in-doubt journal: after a crash they are
counted, logged and shown. There is no other window: a graceful stop waits for the replies and the commit.

Where no duplicate is possible: at the mailbox store's Maildir, since a file's name follows from message and recipient.

`schedule` decides (pure), `lane` is the state of one destination, `lanes` drives them all.
"""
