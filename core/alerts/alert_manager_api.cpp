// SPDX-License-Identifier: MIT
// The requests that the AlertManager answers (alert_api.h).
#include <utility>

#include <fmt/format.h>

#include "alerts/alert_manager.h"
#include "base/json.h"
#include "security/name_resolver.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kAnswerBytes = std::size_t{48} * 1024;  // an answer is one frame

Error unknown_action(const std::string& action) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("unknown action '{}'", action.substr(0, 80)),
                      "use list, history, rules, silences, ack, silence, unsilence, set_rule "
                      "or remove_rule");
}

}  // namespace

void AlertManager::request(const AlertCaller& caller, const std::string& action,
                           const std::string& arguments, Done done) {
    std::size_t fitted = 0;
    if (action == "history") return history(arguments, done);
    if (action == "rules") return done(rules_page(arguments));
    if (action == "ack") return acknowledge(caller, arguments, std::move(done));
    if (action == "silence") return silence(caller, arguments, std::move(done));
    if (action == "unsilence") return unsilence(caller, arguments, std::move(done));
    if (action == "set_rule") return set_rule(caller, arguments, std::move(done));
    if (action == "remove_rule") return remove_rule(caller, arguments, std::move(done));
    if (action != "list" && action != "silences") return done(fail(unknown_action(action)));
    if (auto nothing = parse_nothing(arguments); !nothing) return done(fail(nothing.error()));
    if (action == "silences")
        return done(list_json("silences", state_->silences(), kAnswerBytes, fitted) + '}');
    const auto live = state_->live();
    auto json = list_json("alerts", live, kAnswerBytes, fitted);
    done(json + fmt::format(R"(,"left_out":{}}})", live.size() - fitted));
}

void AlertManager::history(const std::string& arguments, const Done& done) {
    auto query = parse_history(arguments);
    if (!query) return done(fail(query.error()));
    store_->post([this, query = *query, done] {
        auto found = store_->history(query);
        post_([found = std::move(found), query, done] {
            if (!found) return done(fail(found.error()));
            auto alerts = *found;
            const bool another = alerts.size() > query.limit;
            if (another) alerts.pop_back();
            std::size_t fitted = 0;
            auto json = list_json("alerts", alerts, kAnswerBytes, fitted);
            done(json + fmt::format(R"(,"more":{},"before":{}}})",
                                    another || fitted < alerts.size(),
                                    fitted == 0 ? 0 : alerts[fitted - 1].id));
        });
    });
}

Result<std::string> AlertManager::rules_page(const std::string& arguments) const {
    SHM_ASSIGN(const auto from, parse_from(arguments));
    std::vector<AlertRule> page;
    for (auto& rule : state_->rules())
        if (rule.name >= from) page.push_back(std::move(rule));
    std::size_t fitted = 0;
    auto json = list_json("rules", page, kAnswerBytes, fitted);
    json += fmt::format(R"(,"more":{},"from":)", fitted < page.size());
    append_json_string(json, fitted < page.size() ? page[fitted].name : "");
    return json + '}';
}

void AlertManager::write_and_answer(AlertBatch batch, std::string answer, Done done) {
    batch.position = {registry_.epoch(), position_};
    store_->write(
        std::move(batch), false,
        [post = post_, answer = std::move(answer), done = std::move(done)](const Status& status) {
            post([answer, done, status] {
                if (status) return done(answer);
                auto error = status.error();
                error.message = "applied, but could not be saved: " + error.message;
                done(fail(std::move(error)));
            });
        });
}

void AlertManager::acknowledge(const AlertCaller& caller, const std::string& arguments, Done done) {
    const auto what = parse_acknowledgement(arguments);
    if (!what) return done(fail(what.error()));
    const auto* alert = state_->acknowledge(*what, user_name(caller.uid), now());
    if (!alert)
        return done(fail(ErrorCode::invalid_argument,
                         fmt::format("no firing alert has id {}", what->id),
                         "'snakepit-shm alerts' lists those that fire"));
    record(EventKind::alert_acknowledged, caller, alert->id, alert->rule, alert->subject);
    AlertBatch batch;
    batch.alerts.push_back(*alert);
    write_and_answer(std::move(batch), to_json(*alert), std::move(done));
}

void AlertManager::silence(const AlertCaller& caller, const std::string& arguments, Done done) {
    auto what = parse_silencing(arguments);
    if (!what) return done(fail(what.error()));
    what->by = user_name(caller.uid);
    registry_.follow_wall_clock();  // first: a step before now must not move its end
    follow_clock();
    const auto made = state_->silence(std::move(*what), now());
    if (!made) return done(fail(made.error()));
    record(EventKind::alert_silenced, caller, made->id, made->rule, made->subject);
    AlertBatch batch;
    batch.silences.push_back(*made);
    write_and_answer(std::move(batch), to_json(*made), std::move(done));
}

void AlertManager::unsilence(const AlertCaller& caller, const std::string& arguments, Done done) {
    const auto id = parse_id(arguments);
    if (!id) return done(fail(id.error()));
    const auto ended = state_->unsilence(*id);
    if (!ended) return done(fail(ended.error()));
    record(EventKind::alert_unsilenced, caller, ended->id, ended->rule, ended->subject);
    AlertBatch batch;
    batch.ended_silences.push_back(*id);
    write_and_answer(std::move(batch), to_json(*ended), std::move(done));
}

// A rule applies once its row is on the disk.
void AlertManager::set_rule(const AlertCaller& caller, const std::string& json, Done done) {
    auto rule = parse_rule(json);
    if (!rule) return done(fail(rule.error()));
    if (auto may = state_->may_set(*rule); !may) return done(fail(may.error()));
    rule->built_in = state_->built_in(rule->name);
    AlertBatch batch;
    batch.rules.push_back(*rule);
    store_->write(std::move(batch), true, [=, this, rule = *rule](const Status& status) {
        post_([=, this] {
            if (!status) return done(fail(status.error()));
            std::vector<AlertChange> changes;
            state_->set(rule, now(), changes);
            refill(rule.name);
            record(EventKind::alert_rule_changed, caller, 0,
                   rule.name + (rule.enabled ? ": set" : ": off"), {});
            publish(changes, now());
            done(to_json(rule));
        });
    });
}

void AlertManager::remove_rule(const AlertCaller& caller, const std::string& arguments, Done done) {
    const auto name = parse_name(arguments);
    if (!name) return done(fail(name.error()));
    if (!state_->find(*name))
        return done(fail(ErrorCode::invalid_argument,
                         fmt::format("unknown rule '{}'", name->substr(0, 80)),
                         "'snakepit-shm alerts rules' lists them"));
    AlertBatch batch;
    batch.removed_rules.push_back(*name);
    store_->write(std::move(batch), true, [=, this, name = *name](const Status& status) {
        post_([=, this] {
            if (!status) return done(fail(status.error()));
            std::vector<AlertChange> changes;
            (void)state_->remove(name, now(), changes);
            refill(name);
            record(EventKind::alert_rule_changed, caller, 0, name + ": removed", {});
            publish(changes, now());
            std::string answer = R"({"name":)";
            append_json_string(answer, name);
            done(answer + '}');
        });
    });
}

}  // namespace snakepit::shm
