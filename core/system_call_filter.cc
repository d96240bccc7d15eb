// The seccomp filter of ConfineSystemCalls: a program of the kernel's classic BPF, put together from the lists below.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "core/confinement.h"
#include "core/strings.h"

namespace core {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr uint32_t kOtherAbi = 0x40000000;  // x32's numbers begin here
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr uint32_t kOtherAbi = 0x40000000;
#else
#error "the filter knows x86-64 and aarch64"
#endif

/// Refused whatever the arguments.
constexpr uint32_t kRefused[] = {
    // Other programs and processes.
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_process_madvise,
    SYS_setns,
    SYS_unshare,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
#endif
    // Mounts and other views of files.
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_swapon,
    SYS_swapoff,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_mknodat,
    SYS_fanotify_init,
    // The kernel itself.
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
#if defined(SYS_kexec_file_load)
    SYS_kexec_file_load,
#endif
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_personality,
    SYS_syslog,
    SYS_reboot,
    SYS_acct,
    SYS_lookup_dcookie,
    SYS_vhangup,
#if defined(__x86_64__)
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
    // What the machine believes: time, its name.
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
    // Who we are.
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_setgroups,
    SYS_capset,
    // Shared memory of System V: another way to memory that can be executed (SHM_EXEC), which mmap is refused below.
    SYS_shmat,
    // More rings: those of the shards are there, each with its list of operations (core/uring/ring_limits.h).
    SYS_io_uring_setup,
};

/// Refused when they ask for memory that can be executed.
constexpr uint32_t kMayMakeCode[] = {SYS_mmap, SYS_mprotect, SYS_pkey_mprotect};

class Program {
 public:
  void Load(size_t offset) { Add(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)); }
  /// The low half of an argument: all that is looked at is an int or smaller.
  void LoadArgument(size_t number) { Load(offsetof(seccomp_data, args) + number * sizeof(uint64_t)); }
  void Return(uint32_t action) { Add(BPF_RET | BPF_K, action); }
  void Refuse(int error = EPERM) { Return(SECCOMP_RET_ERRNO | (static_cast<uint32_t>(error) & SECCOMP_RET_DATA)); }
  void Allow() { Return(SECCOMP_RET_ALLOW); }
  /// The next `count` instructions are for `value` only.
  void IfEqual(uint32_t value, uint8_t count) { Jump(BPF_JEQ, value, 0, count); }
  void IfNotEqual(uint32_t value, uint8_t count) { Jump(BPF_JEQ, value, count, 0); }
  void IfAtLeast(uint32_t value, uint8_t count) { Jump(BPF_JGE, value, 0, count); }
  void IfAnyBit(uint32_t bits, uint8_t count) { Jump(BPF_JSET, bits, 0, count); }

  /// 0, or the errno.
  int Install() {
    const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    const auto result =
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG, &program);
    if (result == 0) return 0;
    return result > 0 ? ESRCH : errno;  // positive: the thread that could not be taken along
  }

 private:
  void Add(int code, uint32_t k) { code_.push_back({static_cast<uint16_t>(code), 0, 0, k}); }
  void Jump(int how, uint32_t k, uint8_t when_true, uint8_t when_false) {
    code_.push_back({static_cast<uint16_t>(BPF_JMP | how | BPF_K), when_true, when_false, k});
  }
  std::vector<sock_filter> code_;
};

[[maybe_unused]] Program MakeFilter() {  // not in a sanitizer's build
  Program filter;
  filter.Load(offsetof(seccomp_data, arch));
  filter.IfNotEqual(kArchitecture, 1);
  filter.Refuse();
  filter.Load(offsetof(seccomp_data, nr));
  filter.IfAtLeast(kOtherAbi, 1);
  filter.Refuse();
  for (const uint32_t number : kRefused) {
    filter.IfEqual(number, 1);
    filter.Refuse();
  }
  // Threads, not processes. clone3 hands its flags over in memory, where no filter can look: without it libc takes clone.
  filter.IfEqual(SYS_clone3, 1);
  filter.Refuse(ENOSYS);
  filter.IfEqual(SYS_clone, 4);
  filter.LoadArgument(0);
  filter.IfAnyBit(CLONE_THREAD, 1);
  filter.Allow();
  filter.Refuse();
  filter.IfEqual(SYS_socket, 5);
  filter.LoadArgument(0);
  filter.IfNotEqual(AF_INET, 2);
  filter.IfNotEqual(AF_INET6, 1);
  filter.Refuse();
  filter.Allow();
  // No new code in memory.
  for (const uint32_t number : kMayMakeCode) {
    filter.IfEqual(number, 4);
    filter.LoadArgument(2);
    filter.IfAnyBit(PROT_EXEC, 1);
    filter.Refuse();
    filter.Allow();
  }
  // Our own memory only: how a failed page of a mapped file is read without a signal (core/uring/file_mappings.cc).
  filter.IfEqual(SYS_process_vm_readv, 4);
  filter.LoadArgument(0);
  filter.IfNotEqual(static_cast<uint32_t>(::getpid()), 1);
  filter.Refuse();
  filter.Allow();
  // No typing into the terminal that started us.
  filter.IfEqual(SYS_ioctl, 4);
  filter.LoadArgument(1);
  filter.IfEqual(TIOCSTI, 1);
  filter.Refuse();
  filter.Allow();
  filter.Allow();
  return filter;
}

}  // namespace

std::string ConfineSystemCalls() {
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return "seccomp off (a sanitizer's build traces itself and starts a symbolizer)";
#else
  const int error = MakeFilter().Install();
  return error == 0 ? "seccomp on" : StrCat("seccomp off (", std::string(std::strerror(error)), ")");
#endif
}

}  // namespace core
