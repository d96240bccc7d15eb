"""Every subcommand of mqadmin 5.3.3: what is run and what must come out, what is not run and why, and where our output differs from RocketMQ's."""
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Command:
    """`words` as typed, with names of the scene in braces; what begins with "call:" is no command of mqadmin, but a call of one of RocketMQ's libraries. `expects`: patterns that its output must have, or (how often, pattern). `unordered`: lines in the
    order of a hash table, the broker's or the tool's. `settings`: lines "key = value", of which those are compared whose key both sides have. `varies`: no two runs print the same, so it is not compared."""
    words: str
    expects: tuple
    unordered: bool = False
    settings: bool = False
    varies: bool = False

    @property
    def name(self):
        return self.words.split()[0]


def _command(words, *expects, **how):
    return Command(words, expects, **how)


MESSAGE = (r'Topic: +Tools\n', r'Tags: +\[a\]', r'Queue ID: +1\n', r'Queue Offset: +3\n', r'KEYS=k13', r'consumerGroup=tools-group, trackType=CONSUMED',
           r'consumerGroup=idle-group, trackType=NOT_ONLINE')
ALL_40 = (40, r'MSGID:')

# In the order in which they are run: later ones see what earlier ones have made.
COMMANDS = (
    # topics
    _command('updateTopic -b {broker} -t Made -r 2 -w 2', r'create topic to {broker} success', r'readQueueNums=2, writeQueueNums=2, perm=RW-'),
    _command('updateTopic -c {cluster} -t Made -r 3 -w 3 -a +message.type=NORMAL', r'readQueueNums=3', r'message.type=NORMAL'),
    _command('updateTopicList -b {broker} -f {files}/topics.json', r'submit batch of topic config to {broker} success'),
    _command('updateTopicPerm -b {broker} -t Made -p 4', r'from 6 to 4', r'perm=R--'),
    _command('topicList', r'(?m)^Made$', r'(?m)^ListA$', r'(?m)^ListB$', r'(?m)^Tools$', unordered=True),
    _command('topicList -c', r'(?m)^DefaultCluster +Tools +tools-group', unordered=True),
    _command('topicRoute -t Tools', r'"readQueueNums":4', r'"{broker}"'),
    _command('topicRoute -t Tools -l', r'broker-a'),
    _command('topicRoute -t Nowhere', r'CODE: 17'),
    _command('topicStatus -t Tools', (4, r'broker-a +\d +0 +10')),
    _command('topicStatus -t Nowhere', r'CODE: 17'),
    _command('topicClusterList -t Tools', r'^DefaultCluster$'),
    _command('allocateMQ -t Tools -i ip1,ip2', r'"ip1":\[.*"queueId":0', r'"ip2":\[.*"queueId":3'),
    _command('updateOrderConf -t Tools -m put -v broker-a:4', r'success'),
    _command('updateOrderConf -t Tools -m get', r'orderConf=\[broker-a:4\]'),
    _command('updateOrderConf -t Tools -m delete', r'success'),
    # groups
    _command('updateSubGroup -b {broker} -g made-group -r 5', r'success', r'retryMaxTimes=5'),
    _command('updateSubGroupList -b {broker} -f {files}/groups.json', r'submit batch of group config to {broker} success'),
    _command('getConsumerConfig -g made-group', r'retryMaxTimes += +5'),
    _command('consumerProgress', r'tools-group +1 +V5_3_3 +PUSH +CLUSTERING +\d+ +0', r'idle-group +0 +OFFLINE +0 +20', unordered=True),
    _command('consumerProgress -g tools-group', (4, r'Tools +broker-a +\d +10 +10'), r'Consume Diff Total: 0'),
    _command('consumerProgress -g tools-group -s true', r'Tools +broker-a'),
    _command('consumerProgress -g idle-group', (4, r'Tools +broker-a +\d +10 +5'), r'Consume Diff Total: 20'),
    _command('consumerProgress -g nobody', r'CODE: 17'),
    _command('consumerConnection -g tools-group', r'tools-c', r'CONSUME_FROM_FIRST_OFFSET', r'(?m)^Tools +\*'),
    _command('consumerConnection -g nobody', r'CODE: 17'),
    _command('consumerStatus -g tools-group', r'tools-c +V5_3_3', r'Rebalance OK'),
    _command('consumerStatus -g tools-group -i {client} -s', r'#Consumer jstack#', r'PullMessageService +TID', varies=True),
    _command('producerConnection -g tools-producers -t ToolsOther', r'tools-p.*V5_3_3'),
    _command('producer -b {broker}', r'tools-producers.*clientId=\S*tools-p', unordered=True),
    _command('setConsumeMode -b {broker} -t Tools -g made-group -m POP -q 3', r'set consume mode to {broker} success', r'consume mode\[POP\] popShareQueueNum\[3\]'),
    _command('setConsumeMode -b {broker} -t Tools -g made-group -m PULL', r'success'),
    _command('cloneGroupOffset -s idle-group -d made-group -t Tools', r'clone group offset success'),
    _command('resetOffsetByTime -g made-group -t Tools -s {begin}', (4, r'broker-a +\d +0'), unordered=True),
    _command('resetOffsetByTime -g made-group -t Tools -s -1', (4, r'broker-a +\d +10'), unordered=True),
    _command('skipAccumulatedMessage -g made-group -t Tools', (4, r'broker-a +\d +10'), unordered=True),
    # brokers
    _command('clusterList', r'DefaultCluster +broker-a +0 +{broker} +V\d'),
    _command('clusterList -m', r'DefaultCluster +broker-a +\d+ +\d+ +44 +40'),
    _command('haStatus -b {broker}', r'MasterAddr\s+{broker}', r'(?m)SlaveNum\s+0$', r'(?m)InSyncSlaveNum\s+0$'),
    _command('brokerStatus -b {broker}', r'msgPutTotalTodayNow +: 44\n', r'msgGetTotalTodayNow +: 40\n', r'putMessageDistributeTime +: \S', unordered=True),
    _command('brokerConsumeStats -b {broker}', (4, r'Tools +idle-group +broker-a +\d +10 +5 +5'), r'Diff Total: 20', unordered=True),
    _command('statsAll -t Tools', r'Tools +tools-group +0 ', r'Tools +idle-group +20 ', unordered=True),
    _command('statsAll', r'Tools +idle-group +20 ', r'ToolsOther .*NO_CONSUMER', unordered=True),
    _command('statsAll -a', r'Tools +tools-group +0 ', unordered=True),
    _command('getBrokerConfig -b {broker}', r'brokerName += +broker-a', r'maxTransferCountOnMessageInMemory += +32', unordered=True, settings=True),
    _command('getBrokerConfig -c {cluster}', r'brokerName += +broker-a', unordered=True, settings=True),
    _command('updateBrokerConfig -b {broker} -k maxTransferCountOnMessageInMemory -v 33', r'update broker config success'),
    _command('updateBrokerConfig -c {cluster} -k maxTransferCountOnMessageInMemory -v 32', r'update broker config success'),
    _command('updateBrokerConfig -b {broker} -k brokerConfigPath -v /tmp/x', r'CODE: 16'),
    _command('cleanExpiredCQ -b {broker}', r'success'),
    _command('cleanUnusedTopic -b {broker}', r'success'),
    _command('deleteExpiredCommitLog -b {broker}', r'success'),
    # messages
    _command('queryMsgById -t Tools -i {id}', *MESSAGE),
    _command('queryMsgById -t Tools -i {id} -d {client} -g tools-group', r'CR_SUCCESS', varies=True),
    _command('queryMsgByKey -t Tools -k k13', r'7F0{28}0D\s+1\s+3'),
    _command('queryMsgByOffset -t Tools -b broker-a -i 1 -o 3', *MESSAGE),
    _command('queryCq -t Tools -q 1 -i 0 -c 3 -b {broker}', r'max: 10, min: 0', (3, r'physicSize=221, tagsCode=97')),
    _command('queryCq -t Tools -q 1 -i 0 -c 3 -b {broker} -g tools-group', r'"subString":"\*"'),
    _command('printMsg -t Tools', ALL_40),
    _command('printMsg -t Tools -s a||b -d false', ALL_40),
    _command('printMsgByQueue -t Tools -a broker-a -i 2 -p true -d true', (10, r'MSGID:')),
    _command('consumeMessage -t Tools -b broker-a -i 1 -o 2 -c 3', (3, r'MSGID: .*queueOffset=[234],')),
    _command('sendMessage -t ToolsOther -p hello', r'broker-a +0 +SEND_OK +\w{32}'),
    _command('sendMsgStatus -b broker-a -s 10 -c 3', (3, r'sendStatus=SEND_OK')),
    _command('checkMsgSendRT -t ToolsOther -a 3 -s 10', (3, r'broker-a +0 +true')),
    # nameservers
    _command('getNamesrvConfig', r'listenPort', unordered=True, settings=True),
    _command('updateNamesrvConfig -k rocketmqHome -v /tmp/x', r'CODE: 16'),
    _command('updateKvConfig -s NS -k k -v v', r'success'),
    _command('call:getKVListByNamespace NS', r'^values \{k=v\}$'),
    _command('deleteKvConfig -s NS -k k', r'success'),
    _command('wipeWritePerm -b broker-a', r'OK, \d+'),
    _command('topicRoute -t Tools', r'"perm":4'),
    _command('addWritePerm -b broker-a', r'OK, \d+'),
    _command('topicRoute -t Tools', r'"perm":6'),
    # exports: the files that they write are part of their output
    _command('exportMetadata -b {broker} -t -f {files}/out', r'"topicName":"Tools"', unordered=True),
    _command('exportMetadata -c {cluster} -f {files}/out', r'"groupName":"made-group"', r'"topicName":"Tools"', unordered=True),
    _command('exportConfigs -c {cluster} -f {files}/out', r'"brokerName":"broker-a"', unordered=True),
    _command('exportMetrics -c {cluster} -f {files}/out', r'"rocketmqVersion":"V5_3_3"', r'"broker-a"', unordered=True),
    # what dashboards and proxies ask through RocketMQ's libraries, and no command does (tools/Calls.java)
    _command('call:searchOffset broker-a Tools 1 {begin}', r'^offset 0$'),
    _command('call:searchOffset broker-a Tools 1 9999999999999', r'^offset \d+$'),
    _command('call:minOffset broker-a Tools 1', r'^offset 0$'),
    _command('call:maxOffset broker-a Tools 1', r'^offset 10$'),
    _command('call:earliestMsgStoreTime broker-a Tools 1', r'^stored at \d{13}$'),
    _command('call:queryConsumeTimeSpan Tools tools-group', (4, r'broker-a \d from \d{13} to \d{13} consumed \d{13} up to date')),
    _command('call:queryConsumeTimeSpan Tools idle-group', (4, r'broker-a \d from \d{13} to \d{13} consumed \d{13} behind')),
    _command('call:queryTopicsByConsumer tools-group', r'^topics\n(.*\n)*Tools$'),
    _command('call:querySubscription tools-group Tools', r'topic=Tools, subString=\*'),
    _command('call:getTopicsByCluster {cluster}', r'(?m)^Made$', r'(?m)^Tools$', r'(?m)^ToolsOther$'),
    _command('call:getSystemTopicList', r'(?m)^TBW102$', r'(?m)^CHECKPOINT_TOPIC$', r'(?m)^DefaultCluster$'),
    _command('call:getUnitTopicList', r'^topics$'),
    _command('call:getHasUnitSubTopicList', r'^topics$'),
    _command('call:getHasUnitSubUnUnitTopicList', r'^topics$'),
    _command('call:queryCorrectionOffset {broker} Tools idle-group', r'^offsets \{'),
    _command('call:notification {broker} idle-group Tools 1', r'^has messages true$'),
    _command('call:notification {broker} tools-group Tools 1', r'^has messages false$'),
    _command('call:pollingInfo {broker} tools-group Tools 1', r'^code 0 fields \{pollingNum=0\}$'),
    _command('call:peek {broker} idle-group Tools 1 3', r'^code 0\nTools 1 5 k21\nTools 1 6 k25\nTools 1 7 k29$'),
    _command('call:peek {broker} idle-group Nowhere 0 3', r'^code 17$'),
    _command('call:updateAndGetGroupReadForbidden {broker} made-group Tools', r'^readable true$'),
    _command('call:updateAndGetGroupReadForbidden {broker} made-group Tools false', r'^readable false$'),
    _command('call:updateAndGetGroupReadForbidden {broker} made-group Tools true', r'^readable true$'),
    _command('call:registerTopic Registered broker-a', r'^code 0$'),
    _command('topicRoute -t Registered', r'"readQueueNums":2'),
    _command('call:cloneGroupOffset idle-group list-b Tools true', r'^cloned$'),
    _command('call:queryConsumeTimeSpan Tools list-b', (4, r'broker-a \d from \d{13} to \d{13} consumed \d{13} behind')),
    # the end
    _command('deleteSubGroup -b {broker} -g made-group -r true', r'success'),
    _command('deleteSubGroup -c {cluster} -g list-a', r'success'),
    _command('deleteTopic -c {cluster} -t Made', r'delete topic \[Made\] from cluster', r'delete topic \[Made\] from NameServer'),
    _command('topicList', r'^(?!(.*\n)*Made\n)', unordered=True),
)

ENDLESS = 'it never ends by itself; it sends and asks for what other commands have asked'
CONTROLLER = 'for a controller; there is none yet'
ROCKSDB = "about RocketMQ's RocksDB, which this broker has not"
COLD = 'there is no control of cold reads'
STATIC = 'there are no static topics'

NOT_RUN = {
    'startMonitoring': ENDLESS, 'clusterRT': ENDLESS,
    'queryMsgByUniqueKey': 'cases of its own, with ids that clients have made: they have the time in them', 'queryMsgTraceById': 'cases of its own',
    'exportPopRecord': 'it turns records of POP into those of an older RocketMQ (POP_ROLLBACK); there are none of that kind here',
    'resetMasterFlushOffset': 'there are no slaves yet',
    'addBroker': 'for a broker container', 'removeBroker': 'for a broker container',
    'getSyncStateSet': CONTROLLER, 'getBrokerEpoch': CONTROLLER, 'getControllerMetaData': CONTROLLER, 'getControllerConfig': CONTROLLER,
    'updateControllerConfig': CONTROLLER, 'electMaster': CONTROLLER, 'cleanBrokerMetadata': CONTROLLER,
    'updateStaticTopic': STATIC, 'remappingStaticTopic': STATIC,
    'exportMetadataInRocksDB': ROCKSDB, 'rocksDBConfigToJson': ROCKSDB, 'checkRocksdbCqWriteProgress': ROCKSDB,
    'dumpCompactionLog': "reads files of RocketMQ's store",
    'getColdDataFlowCtrInfo': COLD, 'updateColdDataFlowCtrGroupConfig': COLD, 'removeColdDataFlowCtrGroupConfig': COLD, 'setCommitLogReadAheadMode': COLD,
}

# What differs between any two runs, whoever the broker is.
VARYING = tuple((re.compile(pattern, re.M), instead) for pattern, instead in (
    (r'^\d\d:\d\d:\d\d,\d+ \|-.*\n', ''),  # how the tool's own log starts
    (r'^\s+at .*\n', ''), (r'^\s+\.\.\. \d+ more$', ''),
    (r'\d{4}-\d\d-\d\d(#| )\d\d:\d\d:\d\d[:,]?\d*', 'TIME'), (r'\b\d{13}\b', 'MILLIS'), (r'\b[\dA-F]{32,}\b', 'ID'),
    (r'127\.0\.0\.1:\d+', 'ADDRESS'), (r'@\d+#\d+', '@PROCESS'), (r' +$', ''),
    (r'rt=\d+ms', 'rt=SOME'), (r'( true +)\d+$', r'\1SOME'), (r'Avg RT: [\d.]+', 'Avg RT: SOME'),
    (r'(Consume TPS|Topic Put TPS): [\d.]+', r'\1: SOME'), (r'(CLUSTERING +)\d+( +\d+)$', r'\1SOME\2'),
    (r'((?:physicO|commitLogO)ffset=|CommitLog Offset: +)\d+', r'\1SOME'), (r'^(DefaultCluster .* V\d_\d_\d+) .*', r'\1 SOME'),
    # statsAll: rates of this moment, and 24 hours that RocketMQ begins to count in its second hour
    (r'^([\w%|-]+ +(?:[\w%|-]+ +)?\d+) +\d+\.\d\d .*', r'\1 SOME'),
    (r'^(putTps|get(?:Found|Miss|Total|Transferr?ed)Tps|commitLog\w+|consumeQueueDiskRatio|runtime|putLatency99|putLatency999|putMessageDistributeTime'
     r'|putMessageEntireTimeMax|getMessageEntireTimeMax|putMessageAverageSize) +: .*', r'\1 : SOME'),
    (r'("\w*(?:Ratio|Tps|Size|Num)"):"?-?[\d.]+"?', r'\1:SOME'),
))

# (pattern of the command, what a line of either side looks like that the other need not have, why). One that meets no line fails the test.
SEE = r'^(See|For more information).* https?://'
ONE_GROUP_TOO_MANY = 'RocketMQ takes the name of a topic for one of the groups that consume it (ConsumerManager.registerConsumer notes it among them)'
REMARKS = 'the remark says which setting, and what to do'
DIFFERENCES = (
    ('topicRoute|topicStatus|consumerProgress|consumerConnection|queryMsgBy', SEE,
     "RocketMQ's remark for a topic without a route ends with a link; where there is none the client adds one"),
    ('topicList|statsAll|call:getTopicsByCluster', 'TRANS_CHECK_MAX_TIME_TOPIC', 'made at the start, so that nothing must be made when a transaction is put aside'),
    ('wipeWritePerm|addWritePerm', r'OK, \d+$', 'which is one topic more'),
    ('topicList -c|statsAll', r'Tools +Tools\b', ONE_GROUP_TOO_MANY),
    ('queryMsgBy', r'consumerGroup=Tools,', ONE_GROUP_TOO_MANY),
    ('haStatus', 'CommitLogMaxOffset', 'several logs are counted together, and batches have headers'),
    ('brokerStatus', 'QueueCapacity', 'no pool of threads with a queue stands behind a request, so there is no capacity'),
    ('brokerStatus', '^commitLogDiskRatio_', 'paths are shown to nobody'),
    ('brokerStatus', r'^(connections|pullsHeld|reactorStalls|shards) ', 'figures of our own'),
    ('brokerStatus', '^getTransferedTps', "as the tools of RocketMQ 4.9 look for it"),
    ('brokerStatus', '^remainHowManyDataToCommit', 'RocketMQ shows it only with transientStorePoolEnable'),
    ('brokerStatus', '^remainTransientStoreBufferNumbs', 'no such pool: 0 buffers are left, not 2147483647'),
    ('updateBrokerConfig|updateNamesrvConfig', 'DESC: ', REMARKS),
    ('queryCq .*-g', r'eval=', 'whether the group would be given the message; RocketMQ says it only of queues with an extension (enableConsumeQueueExt)'),
    ('statsAll -a', r' SOME$', 'what was active in the last 24 hours, which RocketMQ begins to count in its second hour'),
    ('getBrokerConfig|getNamesrvConfig', '^(bindAddress|listenPort|namesrvAddr|mappedFileSizeCommitLog) ', 'as the tests start them'),
    ('getBrokerConfig', '^cleanFileForciblyEnable ', 'what nobody has consumed and has not expired is not deleted unless one asks for it'),
    ('getBrokerConfig', '^maxTransfer(Bytes|Count)OnMessageInDisk ', 'a pull from the disk gets more: its reads are large and bypass the page cache'),
    ('exportConfigs', '"(slaveReadEnable|useTLS)"', 'there are no slaves and no TLS yet, so no settings for them'),
    ('exportMetrics', '"cpuNum"', "the size of one of RocketMQ's pools of threads, by a setting that does not exist here"),
)
