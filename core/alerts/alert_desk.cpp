// SPDX-License-Identifier: MIT
// The part of the AlertManager that answers people.
#include <utility>

#include <fmt/format.h>

#include "alerts/alert_manager.h"
#include "base/json.h"
#include "security/name_resolver.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kAnswerBytes = std::size_t{48} * 1024;  // an answer is one frame

// As many of the objects as fit; `fitted` says how many.
template <typename T>
std::string list_json(std::string_view name, const std::vector<T>& all, std::size_t& fitted) {
    auto out = fmt::format(R"({{"{}":[)", name);
    for (fitted = 0; fitted < all.size(); ++fitted) {
        auto one = to_json(all[fitted]);
        if (out.size() + one.size() > kAnswerBytes) break;
        if (fitted > 0) out += ',';
        out += one;
    }
    return out + ']';
}

Error unknown_action(const std::string& action) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("there is no action '{}'", action.substr(0, 80)),
                      "ask for list, history, rules, silences, ack, silence, unsilence, set_rule "
                      "or remove_rule");
}

}  // namespace

void AlertManager::request(const AlertAsker& asker, const std::string& action,
                           const std::string& arguments, Done done) {
    std::size_t fitted = 0;
    if (action == "history") return history(arguments, done);
    if (action == "rules") return done(rules_page(arguments));
    if (action == "ack") return acknowledge(asker, arguments, std::move(done));
    if (action == "silence") return silence(asker, arguments, std::move(done));
    if (action == "unsilence") return unsilence(asker, arguments, std::move(done));
    if (action == "set_rule") return set_rule(asker, arguments, std::move(done));
    if (action == "remove_rule") return remove_rule(asker, arguments, std::move(done));
    if (action != "list" && action != "silences") return done(fail(unknown_action(action)));
    if (auto nothing = parse_nothing(arguments); !nothing) return done(fail(nothing.error()));
    if (action == "silences") return done(list_json("silences", book_->silences(), fitted) + '}');
    const auto live = book_->live();
    auto json = list_json("alerts", live, fitted);
    done(json + fmt::format(R"(,"left_out":{}}})", live.size() - fitted));
}

void AlertManager::history(const std::string& arguments, const Done& done) {
    auto query = parse_history(arguments);
    if (!query) return done(fail(query.error()));
    clerk_->read([post = post_, query = *query, done](AlertStore& store) {
        auto found = store.history(query);
        post([found = std::move(found), query, done] {
            if (!found) return done(fail(found.error()));
            auto alerts = *found;
            const bool another = alerts.size() > query.limit;
            if (another) alerts.pop_back();
            std::size_t fitted = 0;
            auto json = list_json("alerts", alerts, fitted);
            done(json + fmt::format(R"(,"more":{},"before":{}}})",
                                    another || fitted < alerts.size(),
                                    fitted == 0 ? 0 : alerts[fitted - 1].id));
        });
    });
}

Result<std::string> AlertManager::rules_page(const std::string& arguments) const {
    SHM_ASSIGN(const auto from, parse_from(arguments));
    std::vector<AlertRule> page;
    for (auto& rule : book_->rules())
        if (rule.name >= from) page.push_back(std::move(rule));
    std::size_t fitted = 0;
    auto json = list_json("rules", page, fitted);
    json += fmt::format(R"(,"more":{},"from":)", fitted < page.size());
    append_json_string(json, fitted < page.size() ? page[fitted].name : "");
    return json + '}';
}

void AlertManager::write_and_answer(AlertBatch batch, std::string answer, Done done) {
    batch.position = {registry_.epoch(), position_};
    clerk_->write(
        std::move(batch), false,
        [post = post_, answer = std::move(answer), done = std::move(done)](const Status& status) {
            post([answer, done, status] {
                if (status) return done(answer);
                auto error = status.error();
                error.message = "it holds, but cannot be written down: " + error.message;
                done(fail(std::move(error)));
            });
        });
}

void AlertManager::acknowledge(const AlertAsker& asker, const std::string& arguments, Done done) {
    const auto what = parse_acknowledgement(arguments);
    if (!what) return done(fail(what.error()));
    const auto* alert = book_->acknowledge(*what, user_name(asker.uid), now());
    if (!alert)
        return done(fail(ErrorCode::invalid_argument,
                         fmt::format("no alert with the number {} fires", what->id),
                         "'snakepit-shm alerts' shows those that do"));
    record(EventKind::alert_acknowledged, asker, alert->id, alert->rule, alert->subject);
    AlertBatch batch;
    batch.alerts.push_back(*alert);
    write_and_answer(std::move(batch), to_json(*alert), std::move(done));
}

void AlertManager::silence(const AlertAsker& asker, const std::string& arguments, Done done) {
    auto what = parse_silencing(arguments);
    if (!what) return done(fail(what.error()));
    what->by = user_name(asker.uid);
    registry_.follow_wall_clock();  // or its end would be moved by a step that it has in it
    follow_clock();
    const auto made = book_->silence(std::move(*what), now());
    if (!made) return done(fail(made.error()));
    record(EventKind::alert_silenced, asker, made->id, made->rule, made->subject);
    AlertBatch batch;
    batch.silences.push_back(*made);
    write_and_answer(std::move(batch), to_json(*made), std::move(done));
}

void AlertManager::unsilence(const AlertAsker& asker, const std::string& arguments, Done done) {
    const auto id = parse_id(arguments);
    if (!id) return done(fail(id.error()));
    const auto ended = book_->unsilence(*id);
    if (!ended) return done(fail(ended.error()));
    record(EventKind::alert_unsilenced, asker, ended->id, ended->rule, ended->subject);
    AlertBatch batch;
    batch.ended_silences.push_back(*id);
    write_and_answer(std::move(batch), to_json(*ended), std::move(done));
}

// The row is the truth of a rule: it holds when it is on the disk.
void AlertManager::set_rule(const AlertAsker& asker, const std::string& json, Done done) {
    auto rule = parse_rule(json);
    if (!rule) return done(fail(rule.error()));
    if (auto may = book_->may_set(*rule); !may) return done(fail(may.error()));
    rule->built_in = book_->built_in(rule->name);
    AlertBatch batch;
    batch.rules.push_back(*rule);
    clerk_->write(std::move(batch), true, [=, this, rule = *rule](const Status& status) {
        post_([=, this] {
            if (!status) return done(fail(status.error()));
            std::vector<AlertChange> changes;
            book_->set(rule, now(), changes);
            refill(rule.name);
            record(EventKind::alert_rule_changed, asker, 0,
                   rule.name + (rule.enabled ? ": set" : ": off"), {});
            publish(changes, now());
            done(to_json(rule));
        });
    });
}

void AlertManager::remove_rule(const AlertAsker& asker, const std::string& arguments, Done done) {
    const auto name = parse_name(arguments);
    if (!name) return done(fail(name.error()));
    if (!book_->find(*name))
        return done(fail(ErrorCode::invalid_argument,
                         fmt::format("there is no rule '{}'", name->substr(0, 80)),
                         "'snakepit-shm alerts rules' shows them"));
    AlertBatch batch;
    batch.removed_rules.push_back(*name);
    clerk_->write(std::move(batch), true, [=, this, name = *name](const Status& status) {
        post_([=, this] {
            if (!status) return done(fail(status.error()));
            std::vector<AlertChange> changes;
            (void)book_->remove(name, now(), changes);
            refill(name);
            record(EventKind::alert_rule_changed, asker, 0, name + ": removed", {});
            publish(changes, now());
            std::string answer = R"({"name":)";
            append_json_string(answer, name);
            done(answer + '}');
        });
    });
}

}  // namespace snakepit::shm
