#include "broker/register_handlers.h"

#include "broker/access/access_handlers.h"
#include "broker/admin_client.h"
#include "broker/admin_consumption.h"
#include "broker/admin_group.h"
#include "broker/admin_node.h"
#include "broker/admin_topic.h"
#include "broker/client_handlers.h"
#include "broker/consume_directly.h"
#include "broker/consumer_status.h"
#include "broker/end_transaction.h"
#include "broker/group_forbidden.h"
#include "broker/group_offsets.h"
#include "broker/offset_handlers.h"
#include "broker/pop/acknowledge.h"
#include "broker/pop/assignment.h"
#include "broker/pop/notification.h"
#include "broker/pop/pop_message.h"
#include "broker/pop/request_modes.h"
#include "broker/pull.h"
#include "broker/query_message.h"
#include "broker/queue_entries.h"
#include "broker/recall.h"
#include "broker/reset_offset.h"
#include "broker/resume_half.h"
#include "broker/send.h"
#include "broker/send_back.h"
#include "broker/view_message.h"

namespace broker {

void RegisterHandlers(BrokerShard& shard) {
  RegisterClientHandlers(shard);  // first: it makes the groups and counters that the others use
  RegisterSendHandlers(shard);
  RegisterSendBackHandlers(shard);
  RegisterRecallHandlers(shard);
  RegisterEndTransactionHandlers(shard);
  RegisterResumeHalfHandlers(shard);
  RegisterPullHandlers(shard);
  RegisterPopHandlers(shard);
  RegisterAcknowledgeHandlers(shard);
  RegisterNotificationHandlers(shard);
  RegisterRequestModeHandlers(shard);
  RegisterAssignmentHandlers(shard);
  RegisterOffsetHandlers(shard);
  RegisterResetOffsetHandlers(shard);
  RegisterGroupOffsetHandlers(shard);
  RegisterViewMessageHandlers(shard);
  RegisterQueryMessageHandlers(shard);
  RegisterQueueEntriesHandlers(shard);
  RegisterAdminTopicHandlers(shard);
  RegisterAdminGroupHandlers(shard);
  RegisterGroupForbiddenHandlers(shard);
  RegisterAdminConsumptionHandlers(shard);
  RegisterAdminClientHandlers(shard);
  RegisterConsumerStatusHandlers(shard);
  RegisterConsumeDirectlyHandlers(shard);
  RegisterAdminNodeHandlers(shard);
  RegisterAccessHandlers(shard);
}

}  // namespace broker
