// SPDX-License-Identifier: MIT
#include "intruder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "client/connection.h"
#include "client/manager_client.h"
#include "layout/registry_reader.h"

namespace {

using namespace snakepit::shm;

int tried = 0;

// What must not work.
void refused(const std::string& what, bool worked) {
    ++tried;
    if (worked) std::cout << "GOT " << what << std::endl;
}
// What must.
void granted(const std::string& what, bool worked) {
    ++tried;
    if (!worked) std::cout << "LOST " << what << std::endl;
}

std::vector<std::string> entries(const std::string& directory) {
    std::vector<std::string> out;
    DIR* opened = ::opendir(directory.c_str());
    if (!opened) return out;
    while (const auto* entry = ::readdir(opened))
        if (entry->d_name[0] != '.' || std::strlen(entry->d_name) > 2)
            out.push_back(directory + "/" + entry->d_name);
    ::closedir(opened);
    return out;
}

bool opens(const std::string& path, int mode) {
    return Handle(::open(path.c_str(), mode | O_CLOEXEC)).valid();
}

// The descriptor that the client library would map and close.
Handle handle_of(Connection& connection, const RegionId& id, AccessMode access) {
    wire::MapT call;
    call.id = std::make_unique<wire::RegionKey>(id.micros, id.random);
    call.access = static_cast<std::uint8_t>(access);
    call.handle = true;
    wire::RequestT request;
    request.call.Set(std::move(call));
    auto answer = connection.call(std::move(request));
    return answer ? std::move(answer->handle) : Handle();
}

// Whatever it was opened for: its size, mode, owner and seals are the service's.
void try_to_change(const std::string& name, const Handle& handle) {
    const int file = handle.get();
    refused(name + ": cut short", ::ftruncate(file, 0) == 0);
    refused(name + ": made longer", ::ftruncate(file, 1 << 24) == 0);
    refused(name + ": extended", ::fallocate(file, 0, 1 << 20, 4096) == 0);
    refused(name + ": collapsed", ::fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == 0);
    refused(name + ": mode changed", ::fchmod(file, 0666) == 0);
    refused(name + ": owner changed", ::fchown(file, ::getuid(), ::getgid()) == 0);
    for (const int seal : {F_SEAL_WRITE, F_SEAL_SHRINK, 0x10 /* F_SEAL_FUTURE_WRITE */})
        refused(name + ": sealed", ::fcntl(file, F_ADD_SEALS, seal) == 0);
    refused(name + ": attribute set", ::fsetxattr(file, "user.mine", "1", 1, 0) == 0);
    refused(name + ": given a name",
            ::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", file).c_str(), AT_FDCWD,
                     fmt::format("/tmp/snakepit-stolen-{}", ::getpid()).c_str(),
                     AT_SYMLINK_FOLLOW) == 0);
    refused(name + ": made executable",
            ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0) != MAP_FAILED &&
                ::fchmod(file, 0777) == 0);
    const auto own = fmt::format("/proc/self/fd/{}", file);
    refused(name + ": opened again to read", opens(own, O_RDONLY));
    refused(name + ": opened again to write", opens(own, O_RDWR));
    refused(name + ": opened again and emptied", opens(own, O_RDWR | O_TRUNC));
}

void try_to_write(const std::string& name, const Handle& handle) {
    char byte = 1;
    refused(name + ": written", ::pwrite(handle.get(), &byte, 1, 0) == 1);
    refused(name + ": punched",
            ::fallocate(handle.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
    refused(name + ": mapped to write", ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
                                               handle.get(), 0) != MAP_FAILED);
    void* map = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, handle.get(), 0);
    granted(name + ": mapped to read", map != MAP_FAILED);
    refused(name + ": mapping made writable", ::mprotect(map, 4096, PROT_READ | PROT_WRITE) == 0);
}

void try_process(const std::string& name, pid_t pid) {
    for (const int signal : {0, SIGTERM, SIGKILL, SIGSTOP})
        refused(fmt::format("{}: signal {}", name, signal), ::kill(pid, signal) == 0);
    refused(name + ": traced", ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0);
    char byte = 0;
    iovec here{&byte, 1}, there{&byte, 1};
    refused(name + ": memory read", ::process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0);
    const Handle process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    for (int number = 0; number < 64; ++number)
        refused(
            fmt::format("{}: descriptor {} copied", name, number),
            Handle(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0))).valid());
    const auto directory = fmt::format("/proc/{}/", pid);
    refused(name + ": descriptors listed", !entries(directory + "fd").empty());
    refused(name + ": descriptors listed", !entries(directory + "map_files").empty());
    for (const auto* file : {"mem", "maps", "environ", "auxv", "syscall"})
        refused(name + ": " + file, [&] {
            const Handle opened(::open((directory + file).c_str(), O_RDONLY | O_CLOEXEC));
            return opened && ::read(opened.get(), &byte, 1) > 0;
        }());
    for (int number = 0; number < 64; ++number)
        for (const int mode : {O_RDONLY, O_RDWR})
            refused(fmt::format("{}: descriptor {} opened", name, number),
                    opens(fmt::format("{}fd/{}", directory, number), mode));
}

void try_files(const std::string& directory, const std::vector<std::string>& names) {
    refused(directory + ": file made", opens(directory + "/mine", O_RDWR | O_CREAT | O_EXCL));
    for (const auto& name : names) {
        const auto path = directory + "/" + name;
        refused(path + ": opened to read", opens(path, O_RDONLY));
        refused(path + ": opened to write", opens(path, O_RDWR));
        refused(path + ": removed", ::unlink(path.c_str()) == 0);
        refused(path + ": renamed", ::rename(path.c_str(), (path + ".mine").c_str()) == 0);
        refused(path + ": mode changed", ::chmod(path.c_str(), 0666) == 0);
        refused(path + ": read as a registry", RegistryReader::open(path).has_value());
    }
}

void try_segments(const std::string& directory) {
    for (const auto& path : entries(directory)) {
        refused(path + ": opened to read", opens(path, O_RDONLY));
        refused(path + ": opened to write", opens(path, O_RDWR));
        refused(path + ": cut short", ::truncate(path.c_str(), 0) == 0);
        refused(path + ": removed", ::unlink(path.c_str()) == 0);
        refused(path + ": renamed", ::rename(path.c_str(), (path + ".mine").c_str()) == 0);
    }
}

void try_private(ManagerClient& client, const std::string& name, const RegionId& id) {
    for (const auto access : {AccessMode::read_only, AccessMode::read_write}) {
        refused(name + ": mapped", client.map(id, access).has_value());
        refused(name + ": locked", client.lock(id, access, 0).has_value());
    }
    refused(name + ": looked at", client.info(id).has_value());
    refused(name + ": deallocated", client.deallocate(id, true).has_value());
    refused(name + ": quarantined", client.quarantine(id).has_value());
    refused(name + ": sealed", client.seal(id).has_value());
    const auto listed = client.list();
    refused(name + ": listed", !listed || std::any_of(listed->begin(), listed->end(),
                                                      [&](const auto& r) { return r.id == id; }));
}

void try_granted(Connection& connection, ManagerClient& client, const std::string& name,
                 const RegionId& id, bool writable) {
    granted(name + ": looked at", client.info(id).has_value());
    const auto reader = handle_of(connection, id, AccessMode::read_only);
    granted(name + ": handed out to read", reader.valid());
    try_to_change(name, reader);
    try_to_write(name, reader);
    const auto writer = handle_of(connection, id, AccessMode::read_write);
    (writable ? granted : refused)(name + ": handed out to write", writer.valid());
    if (writer) try_to_change(name + " (writable)", writer);
    refused(name + ": deallocated", client.deallocate(id, true).has_value());
    refused(name + ": sealed", client.seal(id).has_value());
}

// What every client may do.
void use(ManagerClient& client) {
    const auto id = client.allocate(64 << 10);
    granted("a region of its own", id.has_value());
    if (!id) return;
    const auto map = client.map(*id, AccessMode::read_write);
    granted("its own region mapped", map.has_value());
    if (map) std::memset(map->data, 1, map->size);
    granted("its own region sealed in time", client.seal(*id).has_value());
    if (map) (void)client.unmap(*map);
    granted("its own region deallocated", client.deallocate(*id).has_value());
}

}  // namespace

int run_intruder(const QStringList& words) {
    const auto id = [&](int word) { return *RegionId::parse(words[word].toStdString()); };
    auto client = ManagerClient::connect();
    auto connection = Connection::open({});
    granted("connected", client.has_value() && connection.has_value());
    if (!client || !connection) return 1;
    use(**client);
    try_granted(**connection, **client, "readable", id(5), false);
    try_granted(**connection, **client, "writable", id(6), true);
    try_granted(**connection, **client, "sealed", id(7), false);
    try_private(**client, "private in an arena", id(8));
    try_private(**client, "private alone", id(9));
    try_process("service", words[0].toInt());
    try_process("keeper", words[1].toInt());
    const auto runtime = words[2].toStdString(), state = words[3].toStdString();
    try_files(runtime, {"registry", "grants", "locks", "service.lock", "leases", "keeper.sock",
                        "control.sock.new"});
    try_files(state, {"events.db", "events.db-wal", "durable"});
    refused("lease pages listed", !entries(runtime + "/leases").empty());
    refused("keeper asked", Channel::connect(runtime + "/keeper.sock").has_value());
    refused("control socket removed", ::unlink((runtime + "/control.sock").c_str()) == 0);
    try_segments(words[4].toStdString());
    std::cout << "tried " << tried << std::endl;
    return 0;
}
