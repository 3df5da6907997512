"""Where alarms are sent: a topic that is encrypted with a key of its own and takes calls over TLS only."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.environments import Environment
from infra.nag import acknowledge
from infra.names import Names


class AlarmTopic(Construct):
    """`topic`: CloudWatch's alarms of this account may publish to it, and read nothing."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(scope, "AlarmTopic")
        # SNS's own key lets no CloudWatch alarm through, and its policy can't be changed.
        key = kms.Key(
            self,
            "Key",
            description=f"Alarms of {Names(environment.name).prefix}",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=Names(environment.name).alarm_topic,
            master_key=key,
            enforce_ssl=environment.tls_only,
        )
        if not environment.tls_only:
            acknowledge(
                self.topic, "AwsSolutions-SNS3", "The local engine speaks plain HTTP, on loopback only."
            )
        alarms = Stack.of(self).format_arn(
            service="cloudwatch", resource=f"alarm:{Names(environment.name).prefix}-*"
        )
        key.add_to_resource_policy(
            self._for_alarms("EncryptAlarms", ["kms:Decrypt", "kms:GenerateDataKey*"], "*", alarms)
        )
        self.topic.add_to_resource_policy(
            self._for_alarms("SendAlarms", ["sns:Publish"], self.topic.topic_arn, alarms)
        )
        if environment.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(environment.alarm_email))

    @staticmethod
    def _for_alarms(sid: str, actions: list[str], resource: str, alarms: str) -> iam.PolicyStatement:
        """In a key's policy, `*` is that key."""
        return iam.PolicyStatement(
            sid=sid,
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=actions,
            resources=[resource],
            conditions={"ArnLike": {"aws:SourceArn": alarms}},
        )
