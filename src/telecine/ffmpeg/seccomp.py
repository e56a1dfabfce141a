"""The seccomp program of the sandbox, as classic BPF bytes (seccomp(2)).

A deny list: decoders need few system calls, but libc, OpenMP and Python choose them, and
an allow list breaks with every libc. Denied is what reaches beyond the process: sockets,
new processes, other processes, files for writing, the kernel's configuration.
"""

import struct

from telecine.ffmpeg.launcher import PID_PLACEHOLDER, PROGRAM_FD

# name: number on (x86_64, aarch64); None where the architecture has no such call.
# From arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
CALLS: dict[str, tuple[int | None, int | None]] = {
    # network: Landlock stops TCP only
    "socket": (41, 198), "socketpair": (53, 199), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "connect": (42, 203), "sendto": (44, 206),
    "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212), "sendmmsg": (307, 269),
    "recvmmsg": (299, 243),
    # processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "kill": (62, 129),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "setsid": (112, 157), "setpgid": (109, 154),
    # identity
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setfsuid": (122, 151),
    "setfsgid": (123, 152), "setgroups": (116, 159), "capset": (126, 91),
    # files: opening for writing is judged by its flags below
    "creat": (85, None), "truncate": (76, 45), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "unlink": (87, None), "unlinkat": (263, 35), "rmdir": (84, None),
    "mkdir": (83, None), "mkdirat": (258, 34), "link": (86, None), "linkat": (265, 37),
    "symlink": (88, None), "symlinkat": (266, 36), "mknod": (133, None), "mknodat": (259, 33),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "setxattrat": (463, 463), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16), "removexattrat": (466, 466), "file_setattr": (469, 469),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    # the kernel's large or rarely tested parts
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "syslog": (103, 116), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "personality": (135, 92),
    "fanotify_init": (300, 262), "vhangup": (153, 58), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None),
    # shared memory and queues that outlive the process
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180),
}  # fmt: skip

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE, _CLONE3, _EXECVEAT, _TGKILL = (56, 220), (435, 435), (322, 281), (234, 131)
_OPEN, _OPENAT, _OPENAT2 = (2, None), (257, 56), (437, 437)

_CLONE_THREAD = 0x10000
_WRITING = 0x1 | 0x2 | 0x40 | 0x200  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC: same on both
_AT_EMPTY_PATH = 0x1000
_EPERM, _ENOSYS = 1, 38

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000


def _instruction(code: int, constant: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, constant)


def _argument(index: int) -> bytes:
    """Load the low half of a system call's argument (`struct seccomp_data`)."""
    return _instruction(_LOAD, 16 + 8 * index)


def _refuse(errno: int = _EPERM) -> bytes:
    return _instruction(_RETURN, _ERRNO | errno)


def _rule(number: int | None, *body: bytes) -> bytes:
    """Run `body`, which must return, if the call is `number`."""
    if number is None:
        return b""
    block = b"".join(body)
    return _instruction(_EQUAL, number, 0, len(block) // 8) + block


def _allow_if(*tests: bytes) -> tuple[bytes, ...]:
    """Return a rule's body: allowed if every test (load, jump) holds, else EPERM."""
    return (*tests, _instruction(_RETURN, _ALLOW), _refuse())


def deny_program(machine: str) -> bytes:
    """Return the program for a processor as `os.uname().machine` names it.

    Empty for processors without a table: the caller decides what that means.
    """
    if machine not in _AUDIT_ARCH:
        return b""
    column = 0 if machine == "x86_64" else 1
    no_writing = (_instruction(_ANY_BIT, _WRITING, 1, 0),)
    parts = [
        _instruction(_LOAD, 4),  # the architecture, of which another would shift the numbers
        _instruction(_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, 0),
    ]
    if machine == "x86_64":  # the x32 numbers
        parts += [_instruction(_AT_LEAST, 0x40000000, 0, 1), _refuse(_ENOSYS)]
    parts += [_rule(numbers[column], _refuse()) for numbers in CALLS.values()]
    parts += [
        # Threads yes, processes no. ENOSYS makes libc fall back from clone3 to clone.
        _rule(_CLONE3[column], _refuse(_ENOSYS)),
        _rule(_OPENAT2[column], _refuse(_ENOSYS)),
        _rule(
            _CLONE[column], *_allow_if(_argument(0), _instruction(_ANY_BIT, _CLONE_THREAD, 0, 1))
        ),
        _rule(_OPEN[column], *_allow_if(_argument(1), *no_writing)),
        _rule(_OPENAT[column], *_allow_if(_argument(2), *no_writing)),
        # abort() sends itself a signal; nobody else may be sent one.
        _rule(
            _TGKILL[column], *_allow_if(_argument(0), _instruction(_EQUAL, PID_PLACEHOLDER, 0, 1))
        ),
        # One program can be executed: the one the launcher holds open, once, since the
        # descriptor closes with the exec.
        _rule(
            _EXECVEAT[column],
            *_allow_if(
                _argument(0),
                _instruction(_EQUAL, PROGRAM_FD, 0, 3),
                _argument(4),
                _instruction(_EQUAL, _AT_EMPTY_PATH, 0, 1),
            ),
        ),
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(parts)
