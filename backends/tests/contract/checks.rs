//! The checks of the contract.

use std::future::Future;
use std::pin::Pin;

use super::code::{lost_at_the_end, nobody_listens, thousands, wrong_password};
use crate::common::Stage;

/// What a check does.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    /// Plays this trace.
    Trace(&'static str),
    /// Does this with the clients of this trace.
    Code(
        &'static str,
        fn(Stage) -> Pin<Box<dyn Future<Output = ()> + Send>>,
    ),
}

use Body::{Code, Trace};

/// All checks.
pub(crate) const CHECKS: &[(&str, Body)] = &[
    (
        "a_file_is_written_and_read",
        Trace(
            r#"
        client A user=alice
        A create f "x.txt" access=rw disposition=create -> OK action=created size=0 oplock=none
        A write f offset=0 len=4096 fill=7 -> OK len=4096
        A read f offset=1000 len=4096 -> OK len=3096 fill=7
        A read f offset=4096 len=1 -> END_OF_FILE
        A close f
        A create f "x.txt" -> OK action=opened size=4096
        A write f offset=0 len=1 -> ACCESS_DENIED
        A close f
    "#,
        ),
    ),
    (
        "small_operations",
        Trace(
            r#"
        client A user=alice
        A echo
        A create f "x" access=rw disposition=create
        A write f data="hello" -> OK len=5
        A read f len=5 -> OK data="hello"
        A flush f
        A close f postquery -> OK size=5
    "#,
        ),
    ),
    (
        "a_status_comes_as_it_is",
        Trace(
            r#"
        client A user=alice
        client B user=bob
        A create f "none" -> OBJECT_NAME_NOT_FOUND
        A create f "no/where" -> OBJECT_PATH_NOT_FOUND
        A create f "x" access=rw share=none disposition=create
        B create g "x" -> SHARING_VIOLATION
        A create g "x" disposition=create -> OBJECT_NAME_COLLISION
        A close f
        A create d "d" options=directory disposition=create
        A create g "d" options=non-directory -> FILE_IS_A_DIRECTORY
        A create g "x" options=directory -> NOT_A_DIRECTORY
        A close d
    "#,
        ),
    ),
    (
        "all_dialects",
        Trace(
            r#"
        client A user=alice dialect=2.0.2
        client B user=alice dialect=2.1
        client C user=alice dialect=3.0
        client D user=alice dialect=3.0.2
        client E user=alice dialect=3.1.1
        client F user=alice dialect=2.1..3.0
        A connect -> OK dialect=2.0.2 stage=tree-connect account=user share-type=disk encryption=none
        B connect -> OK dialect=2.1
        C connect -> OK dialect=3.0
        D connect -> OK dialect=3.0.2
        E connect -> OK dialect=3.1.1
        F connect -> OK dialect=3.0
        A create a "a" access=rw disposition=create
        A write a len=65536 fill=1 -> OK len=65536
        B create b "b" access=rw disposition=create
        B write b len=200000 fill=2 -> OK len=200000
        B read b len=200000 -> OK len=200000 fill=2
        C create c "c" access=rw disposition=create
        C write c len=1000 fill=3 -> OK len=1000
        D create d "d" access=rw disposition=create
        D write d len=1000 fill=4 -> OK len=1000
        E create e "e" access=rw disposition=create
        E write e len=1000 fill=5 -> OK len=1000
    "#,
        ),
    ),
    (
        "everything_is_signed_where_asked",
        Trace(
            r#"
        client A user=alice dialect=2.0.2 signing=required
        client B user=alice dialect=3.0 signing=required
        client C user=alice dialect=3.1.1 signing=required signing-algorithm=aes-gmac
        client D user=alice dialect=3.1.1 signing=required signing-algorithm=aes-cmac
        client E user=alice dialect=3.1.1 signing=required signing-algorithm=hmac-sha256
        A create a "a" access=rw disposition=create
        A write a len=5000 fill=1 -> OK len=5000
        A read a len=5000 -> OK len=5000 fill=1
        B create b "a"
        B read b len=5000 -> OK fill=1
        C create c "a"
        C read c len=5000 -> OK fill=1
        D create d "a"
        D read d len=5000 -> OK fill=1
        E create e "a"
        E read e len=5000 -> OK fill=1
    "#,
        ),
    ),
    (
        "everything_is_encrypted_where_asked",
        Trace(
            r#"
        client A user=alice dialect=3.0 encryption=required
        client B user=alice encryption=required cipher=aes-128-ccm
        client C user=alice encryption=required cipher=aes-128-gcm
        client D user=alice encryption=required cipher=aes-256-ccm
        client E user=alice encryption=required cipher=aes-256-gcm
        A create a "a" access=rw disposition=create
        A write a len=5000 fill=1 -> OK len=5000
        A read a len=5000 -> OK len=5000 fill=1
        B create b "a"
        B read b len=5000 -> OK fill=1
        C create c "a"
        C read c len=5000 -> OK fill=1
        D create d "a"
        D read d len=5000 -> OK fill=1
        E create e "a"
        E read e len=5000 -> OK fill=1
        E echo
        E + echo
    "#,
        ),
    ),
    (
        "large_reads_and_writes",
        Trace(
            r#"
        client A user=alice
        A create f "x" access=rw disposition=create
        A write f len=8388608 fill=9 -> OK len=8388608
        A read f len=8388608 -> OK len=8388608 fill=9
        A read f offset=65537 len=1048576 -> OK len=1048576 fill=9
        A close f postquery -> OK size=8388608
    "#,
        ),
    ),
    (
        "a_listing",
        Trace(
            r#"
        client A user=alice
        A create d "d" options=directory disposition=create
        A create f "d/a.txt" access=rw disposition=create
        A create g "d/ü b.txt" access=rw disposition=create
        A close f
        A close g
        A query-directory d -> OK names="a.txt","ü b.txt" count=4
        A query-directory d -> NO_MORE_FILES
        A query-directory d pattern="*.doc" reopen -> NO_SUCH_FILE
        A query-directory d pattern="a*" class=names reopen -> OK names="a.txt" count=1
        A close d
    "#,
        ),
    ),
    (
        "information_is_read_and_set",
        Trace(
            r#"
        client A user=alice
        A create f "x" access=rwd disposition=create
        A write f len=10 -> OK len=10
        A query-info f standard -> OK size=10 links=1 delete-pending=no directory=no
        A set-info f end-of-file size=4
        A query-info f all -> OK size=4
        A set-info f basic attributes=hidden written=2020-02-29T12:00:00Z
        A query-info f basic -> OK attributes=hidden written=2020-02-29T12:00:00Z
        A query-info f network-open -> OK size=4
        A query-fs f size -> OK bytes-per-sector=512
        A query-fs f attribute -> OK max-name=255
        A set-info f rename path="y"
        A create g "x" -> OBJECT_NAME_NOT_FOUND
        A set-info f disposition
        A close f
        A create g "y" -> OBJECT_NAME_NOT_FOUND
    "#,
        ),
    ),
    (
        "create_contexts",
        Trace(
            r#"
        client A user=alice
        A create f "x" access=rw disposition=create query-maximal-access query-on-disk-id allocation=100000 -> OK maximal-access=0x1f01ff maximal-access-status=0x0
        A create g "y" access=rw disposition=create oplock=batch durable=v2 durable-timeout=10s -> OK durable=v2 oplock=batch
        A create h "z" access=rw disposition=create lease-key=k lease-state=rwh lease-version=v2 -> OK oplock=lease lease-state=rwh
    "#,
        ),
    ),
    (
        "locks_exclude_each_other",
        Trace(
            r#"
        client A user=alice
        client B user=bob
        A create f "x" access=rw disposition=create
        B create g "x" access=rw
        A lock f range=0..10 exclusive
        B lock g range=5..6 shared -> LOCK_NOT_GRANTED
        B write g offset=0 len=4 -> FILE_LOCK_CONFLICT
        B lock g range=10..20 exclusive
        A lock f range=0..10 unlock
        A lock f range=0..10 unlock -> RANGE_NOT_LOCKED
        A lock f range=0..1,2..3 shared
    "#,
        ),
    ),
    (
        "a_lock_waits",
        Trace(
            r#"
        client A user=alice
        client B user=bob
        A create f "x" access=rw disposition=create
        B create g "x" access=rw
        A lock f range=0..10 exclusive
        lk: B lock g range=5..6 exclusive wait -> PENDING
        B echo
        A lock f range=0..10 unlock
        B await lk -> OK
    "#,
        ),
    ),
    (
        "a_waiting_lock_is_cancelled",
        Trace(
            r#"
        client A user=alice
        client B user=bob
        A create f "x" access=rw disposition=create
        B create g "x" access=rw
        A lock f range=0..10 exclusive
        lk: B lock g range=5..6 exclusive wait -> PENDING
        B cancel lk
        B await lk -> CANCELLED
    "#,
        ),
    ),
    (
        "compounds",
        Trace(
            r#"
        client A user=alice
        A create f "x" access=rw disposition=create -> OK action=created
        A + write f len=100 fill=3 -> OK len=100
        A + read f len=100 -> OK len=100 fill=3
        A + close f
        A create f "none" -> OBJECT_NAME_NOT_FOUND
        A echo
        A + echo
        A create d "" options=directory
        A + query-directory d class=names -> OK names="x"
        A close d
    "#,
        ),
    ),
    (
        "a_failure_goes_through_a_compound",
        Trace(
            r#"
        client A user=alice
        A create f "none" -> OK|OBJECT_NAME_NOT_FOUND
        A + query-info f standard -> OBJECT_NAME_NOT_FOUND
        A + close f -> OBJECT_NAME_NOT_FOUND
        A echo
    "#,
        ),
    ),
    (
        "lanes_share_connection_session_and_handles",
        Trace(
            r#"
        client A user=alice
        client A2 on=A
        client B user=bob
        A create f "x" access=rw disposition=create
        B create g "x" access=rw
        B lock g range=0..10 exclusive
        lk: A lock f range=0..1 exclusive wait -> PENDING
        A2 write f offset=100 len=10 fill=5 -> OK len=10
        A read f offset=100 len=10 -> OK fill=5
        B lock g range=0..10 unlock
        A2 await lk -> OK
        A2 close f
    "#,
        ),
    ),
    (
        "a_connection_is_made_again",
        Trace(
            r#"
        client A user=alice
        A connect -> OK
        A create f "x" access=rw disposition=create
        A disconnect
        A connect -> OK account=user
        A create g "x" access=rw share=rwd
        A close g
    "#,
        ),
    ),
    (
        "tree_and_session_end",
        Trace(
            r#"
        client A user=alice
        client B user=alice
        A create f "x" access=rw disposition=create
        A tree-disconnect
        A create g "x" -> NETWORK_NAME_DELETED
        A tree-connect "no-such-share" -> BAD_NETWORK_NAME
        B create g "x"
        B logoff
        B create h "x" -> USER_SESSION_DELETED
    "#,
        ),
    ),
    (
        "a_share_that_is_not_there",
        Trace(
            r#"
        client A user=alice share="no-such-share"
        A connect -> BAD_NETWORK_NAME stage=tree-connect dialect=3.1.1
    "#,
        ),
    ),
    (
        "an_oplock_breaks",
        Trace(
            r#"
        mode 2
        client A user=alice
        client B user=bob
        A create f "x" access=rw disposition=create oplock=batch -> OK oplock=batch
        A on-break f ack
        B create g "x" access=r -> OK
        A break f batch->ii within=5s -> OK acknowledge=yes
        B close g
        A write f len=10 -> OK len=10
        A break f ii->none within=5s -> OK acknowledge=no
    "#,
        ),
    ),
    (
        "a_lease_breaks",
        Trace(
            r#"
        mode 2
        client A user=alice
        client B user=bob
        A create f "x" access=rw disposition=create lease-key=k lease-state=rwh -> OK lease-state=rwh
        A create f2 "x" access=rw lease-key=k lease-state=rwh -> OK lease-state=rwh
        B create g "x" access=r -> OK
        A break f rwh->rh within=5s -> OK acknowledge=yes
    "#,
        ),
    ),
    (
        "a_wrong_password_is_an_answer",
        Code("client A user=alice\nA connect -> LOGON_FAILURE", |stage| {
            Box::pin(wrong_password(stage))
        }),
    ),
    (
        "nobody_listens",
        Code("client A user=alice\nA echo", |stage| {
            Box::pin(nobody_listens(stage))
        }),
    ),
    (
        "what_is_in_flight_at_the_end_is_lost",
        Code(
            r#"
        client A user=alice
        client B user=bob
        A create f "x" access=rw disposition=create
        B create g "x" access=rw
        A lock f range=0..10 exclusive
        B lock g range=0..10 exclusive wait -> PENDING
        "#,
            |stage| Box::pin(lost_at_the_end(stage)),
        ),
    ),
    (
        "thousands_of_operations",
        Code("client A user=alice\nA echo", |stage| {
            Box::pin(thousands(stage))
        }),
    ),
];
