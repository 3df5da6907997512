"""The topic that alarms are sent to, encrypted with its own key and open to calls over TLS only."""

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
    """An SNS topic, `topic`, to which this environment's CloudWatch alarms may publish."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(scope, "AlarmTopic")
        # CloudWatch may not use SNS's own key, whose policy cannot be changed.
        key = kms.Key(
            self,
            "Key",
            description=f"Encrypts the alarm topic of {Names(environment.name).prefix}",
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
                self.topic,
                "AwsSolutions-SNS3",
                "The local engine speaks plain HTTP and listens on the loopback address only.",
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
        """Allow `actions` to this environment's alarms. In a key's policy, the resource `*` means that key."""
        return iam.PolicyStatement(
            sid=sid,
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=actions,
            resources=[resource],
            conditions={"ArnLike": {"aws:SourceArn": alarms}},
        )
