// SPDX-License-Identifier: MIT
#include "top/watch.h"

#include <algorithm>

#include "top/manager_poller.h"
#include "top/screen.h"

namespace snakepit::shm::cli {

namespace {

using Clock = std::chrono::steady_clock;

class Watch {
  public:
    Watch(std::string instance, Source source, Screen& screen, ManagerPoller& poller)
        : model_(std::move(instance)),
          source_(std::move(source)),
          screen_(screen),
          poller_(poller) {}

    void run() {
        auto due = Clock::now();
        for (bool stay = true; stay;) {
            const auto at = Clock::now();
            if (at >= due) {
                if (!model_.paused()) model_.take(source_.read());
                due = at + model_.interval();
            }
            show();
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
            const auto press =
                screen_.wait(std::max(left, std::chrono::milliseconds(0)), poller_.news());
            stay = model_.key(press);
            // A shorter interval holds at once.
            due = std::min(due, Clock::now() + model_.interval());
            poll();
        }
    }

  private:
    void show() {
        auto surface = screen_.surface();
        const auto cursor = draw(model_, surface);
        screen_.show(surface, cursor);
    }

    void poll() {
        if (const auto alert = model_.take_acknowledgement()) poller_.acknowledge(*alert);
        poller_.request(model_.poll_request());
        if (auto results = poller_.results()) model_.take(std::move(*results));
    }

    Model model_;
    Source source_;
    Screen& screen_;
    ManagerPoller& poller_;
};

}  // namespace

Status watch(const InstancePaths& paths, Source source) {
    // The poller's thread comes after the screen, which takes the signals; and it is waited for
    // when the terminal has been given back.
    SHM_ASSIGN(auto screen, Screen::open());
    SHM_ASSIGN(auto poller, ManagerPoller::start(paths));
    Watch(paths.instance, std::move(source), *screen, *poller).run();
    screen.reset();
    return {};
}

}  // namespace snakepit::shm::cli
