// SPDX-License-Identifier: MIT
#include "service_process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

namespace snakepit::shm::bench {

ServiceProcess::ServiceProcess() {
    std::filesystem::create_directory(memory_.path("segments"));
    ::setenv("SNAKEPIT_SHM_RUNTIME_DIR", memory_.path("run").c_str(), 1);
    ::setenv("SNAKEPIT_SHM_STATE_DIR", disk_.path("state").c_str(), 1);
    ::setenv("SNAKEPIT_SHM_CONFIG", disk_.path("config.toml").c_str(), 1);
    ::setenv("SNAKEPIT_SHM_INSTANCE", fmt::format("bench-{}", ::getpid()).c_str(), 1);
    std::ofstream(disk_.path("config.toml"))
        << "[shared_memory]\nmax_regions = 1048576\nmax_regions_per_process = 1048576\n"
           "max_total_memory = \"64GiB\"\n[shared_memory.platform_options.linux]\nshm_path = \""
        << memory_.path("segments") << "\"\n";
    start();
}

ServiceProcess::~ServiceProcess() {
    stop(SIGKILL);
}

void ServiceProcess::start() {
    const auto program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "snakepit-shm";
    child_ = ::fork();
    if (child_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const Handle nowhere(::open("/dev/null", O_WRONLY));
    ::dup2(nowhere.get(), STDOUT_FILENO);
    ::execl(program.c_str(), program.c_str(), "serve", nullptr);
    ::_exit(127);
}

void ServiceProcess::stop(int signal) {
    ::kill(child_, signal);
    ::waitpid(child_, nullptr, 0);
}

void ServiceProcess::pin(int processor) const {
    for (const auto& task :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", child_))) {
        std::string name;
        std::getline(std::ifstream(task.path() / "comm"), name);
        if (name == "shm-service") pin_thread(std::stoi(task.path().filename()), processor);
    }
}

ServiceProcess::Usage ServiceProcess::usage() const {
    Usage sum;
    for (const auto& task :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", child_))) {
        std::string name;
        double nanos = 0;
        std::getline(std::ifstream(task.path() / "comm"), name);
        std::ifstream(task.path() / "schedstat") >> nanos;
        sum.all += nanos;
        if (name == "shm-service") sum.service += nanos;
    }
    return sum;
}

Result<std::unique_ptr<ManagerClient>> ServiceProcess::connect() {
    const auto start = monotonic_nanos();
    while (true) {
        auto client = ManagerClient::connect();
        if (client || monotonic_nanos() - start > 60'000'000'000) return client;
        ::usleep(500);
    }
}

struct Pinned::Set {
    cpu_set_t value{};
};

Pinned::Pinned(int processor) : before_(std::make_unique<Set>()) {
    ::sched_getaffinity(0, sizeof before_->value, &before_->value);
    pin_thread(0, processor);
}

Pinned::~Pinned() {
    ::sched_setaffinity(0, sizeof before_->value, &before_->value);
}

void pin_thread(pid_t thread, int processor) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    ::sched_setaffinity(thread, sizeof one, &one);
}

std::vector<int> processors() {
    cpu_set_t set;
    ::sched_getaffinity(0, sizeof set, &set);
    std::vector<int> out;
    for (int i = 0; i < CPU_SETSIZE; ++i)
        if (CPU_ISSET(i, &set)) out.push_back(i);
    return out;
}

Holder::Pipe::Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read.reset(ends[0]);
    write.reset(ends[1]);
}

Holder::Holder(int regions)
    : child_([=, this] {
          const auto client = ServiceProcess::connect();
          char made = client ? 1 : 0;
          for (int i = 0; i < regions && made != 0; ++i) made = (*client)->allocate(4096) ? 1 : 0;
          if (::write(done_.write.get(), &made, 1) == 1) ::pause();
      }) {
    done_.write.reset();  // its closing reports that the child died
}

bool Holder::ready() const {
    char made = 0;
    return ::read(done_.read.get(), &made, 1) == 1 && made == 1;
}

}  // namespace snakepit::shm::bench
